"""Where the tissue is: masks, and pictures of what was kept."""
