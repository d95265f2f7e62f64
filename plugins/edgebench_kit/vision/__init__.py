"""What plugins need that take pictures: files, inputs, networks, and datasets of them."""
