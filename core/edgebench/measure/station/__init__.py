"""What runs on a host while a case is measured: the driver, hosts, and what they open."""
