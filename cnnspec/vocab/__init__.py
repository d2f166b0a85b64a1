"""What every word of the language has in common: parameters, their types, and how a call binds."""
