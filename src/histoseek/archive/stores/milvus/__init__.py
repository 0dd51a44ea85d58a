"""The engine for Milvus: slides in collections of a server or a cluster."""
