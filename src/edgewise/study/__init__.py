"""Many runs and what they say together: methods x spaces x data x settings x seeds."""
