"""Filters: which records are wanted, as typed expressions that any store can put into its own words."""
