-- What is there from the start: the command, the mappings' names, and the client, once Neovim is up. All else
-- is loaded when it is used. `vim.g.infill` or `require('infill').setup()` may say more, see :help infill.
if vim.g.loaded_infill then
  return
end
vim.g.loaded_infill = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify('infill: needs Neovim 0.11 or later', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Infill', function(call)
  require('infill.command').run(call)
end, {
  nargs = '+',
  range = true,
  complete = function(...)
    return require('infill.command').complete(...)
  end,
  desc = 'Fill, fix and rewrite with infill-ls',
})

for _, name in ipairs({ 'accept', 'accept_word', 'accept_line', 'next', 'dismiss' }) do
  vim.keymap.set('i', ('<Plug>(infill-%s)'):format(name:gsub('_', '-')), function()
    require('infill')[name]()
  end, { desc = 'infill: ' .. name:gsub('_', ' ') })
end
for name, command in pairs({ rewrite = 'rewrite', fill = 'fill', fix = 'fix', proofread = 'proofread' }) do
  vim.keymap.set('n', ('<Plug>(infill-%s)'):format(name), '<Cmd>Infill ' .. command .. '<CR>')
  vim.keymap.set('x', ('<Plug>(infill-%s)'):format(name), ':Infill ' .. command .. '<CR>', { silent = true })
end
for name, called in pairs({ ['next-edit'] = 'next_edit', ['dismiss'] = 'dismiss' }) do
  vim.keymap.set('n', ('<Plug>(infill-%s)'):format(name), function()
    require('infill')[called]()
  end, { desc = 'infill: ' .. called:gsub('_', ' ') })
end
vim.keymap.set('n', '<Plug>(infill-toggle)', '<Cmd>Infill toggle<CR>')
vim.keymap.set('n', '<Plug>(infill-snooze)', '<Cmd>Infill snooze<CR>')

-- A plugin manager may call setup() right after this file.
local function start()
  require('infill').start()
end
if vim.v.vim_did_enter == 1 then
  vim.schedule(start)
else
  vim.api.nvim_create_autocmd('VimEnter', { once = true, callback = start })
end
