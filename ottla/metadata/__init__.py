"""The cluster's metadata: its log, the image made of it, and the tables of configs."""
