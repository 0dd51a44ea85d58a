"""From a region to phrases: what a report would say of it, and how probably."""
