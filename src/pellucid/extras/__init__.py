"""The edge: what needs a package beyond the base install, one such package a file, each an extra of its own."""
