"""The only room that knows diffusion pipelines."""
