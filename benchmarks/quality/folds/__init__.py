"""Pictures with true alpha, made from known subjects, in folds by subject."""
