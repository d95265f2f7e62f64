"""What there is: the registry's rows, and plugins found, loaded, asked and explained."""
