"""The editor side of Midfill: a language server over stdio."""
