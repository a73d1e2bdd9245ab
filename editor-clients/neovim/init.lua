-- A complete, minimal configuration, to try the server without touching your own:
--   nvim --clean -u editor-clients/neovim/init.lua examples/inventory.py
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
vim.opt.runtimepath:prepend(vim.fs.abspath(here))
vim.o.swapfile = false

vim.lsp.enable('infill')
vim.lsp.inline_completion.enable()

-- <Tab> accepts the ghost text; without any it is an ordinary tab.
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then
    return '<Tab>'
  end
end, { expr = true, desc = 'Accept the inline completion' })
