-- A complete, minimal configuration, to try the server without touching your own:
--   nvim --clean -u editor-clients/neovim/init.lua examples/inventory.py
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
vim.opt.runtimepath:prepend(vim.fs.abspath(here))
vim.o.swapfile = false
vim.g.infill = vim.tbl_extend('keep', vim.g.infill or {}, {
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-]>',
    dismiss = '<C-]>',
  },
})
vim.o.laststatus = 2
vim.o.statusline = "%f %m%=%{%v:lua.require'infill'.statusline()%} "
