"""What the service keeps: jobs, photographs and keys in a database, their files beside it."""
