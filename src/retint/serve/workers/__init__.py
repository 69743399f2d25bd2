"""Who does the service's work: processes led from here, for the queue and for those who look."""
