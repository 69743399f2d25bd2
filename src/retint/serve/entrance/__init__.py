"""What a request passes first: connections, the door with its keys and limits, the audit log."""
