"""Looking a corpus through by eye: a page in the browser, a journal of decisions, the manifest."""
