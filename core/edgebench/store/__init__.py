"""What is kept between runs under its digest: artifacts, pinned files, splits."""
