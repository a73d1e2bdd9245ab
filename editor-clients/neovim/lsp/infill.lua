-- Neovim >= 0.12 reads this as the configuration of the client "infill" once this folder's
-- parent is on 'runtimepath'; see ../README.md. The command may be set in $INFILL_LS_CMD
-- (words separated by blanks), else it is `infill-ls serve` from $PATH.
local cmd = vim.env.INFILL_LS_CMD

---@type vim.lsp.Config
return {
  cmd = cmd and vim.split(vim.trim(cmd), '%s+') or { 'infill-ls', 'serve' },
  filetypes = { 'python' },
  root_markers = { 'pyproject.toml', 'setup.py', '.git' },
}
