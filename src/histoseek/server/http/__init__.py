"""Between requests and the engine: parsing, responses, dependencies."""
