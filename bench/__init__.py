"""`make bench`: Ottla beside Apache Kafka and the physical limit, in one run on one machine. bench/README.md tells what and how."""
