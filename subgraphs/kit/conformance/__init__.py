"""One set of checks that every adaptor passes, against its sandbox and against the real system: `concord adaptor check`."""
