"""The page on which a visitor tries the service out: plain files, served beside the API that they call."""
