"""How the embedded model was made: corpus, tokenizer, objective, loop, export. Re-run with
`python -m model_runtime.training`; nothing here is imported by the worker."""
