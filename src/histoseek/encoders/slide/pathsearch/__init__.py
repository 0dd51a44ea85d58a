"""The slide encoder of PathSearch (arXiv 2510.23224)."""
