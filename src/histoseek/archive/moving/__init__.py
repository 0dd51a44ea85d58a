"""Moving archives: copies between folders and servers, and the comparison of two archives."""
