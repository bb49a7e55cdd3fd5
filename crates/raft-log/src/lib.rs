//! Commands ordered and replicated: openraft behind concrete types.
