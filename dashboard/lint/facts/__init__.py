"""Facts about toolkits, each with the document and section where it stands; figures, no copied sentences."""
