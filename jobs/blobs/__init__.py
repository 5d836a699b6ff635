"""Where pictures lie, in a folder or a bucket; `choose` opens the one that the settings name."""
