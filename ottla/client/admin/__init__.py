"""The admin client: one small module for each kind of thing; `admin.Admin` puts them together."""
