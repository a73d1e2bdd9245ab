-- What users call: setup, the functions behind the keys, the status line. :help infill-functions lists them.
local M = {}

local started = false

---@param options? table<string, any> see infill.Options
function M.setup(options)
  require('infill.options').set(options or {})
end

--- Not an <expr> mapping: what is accepted is in the text before the next key is looked at.
---@param key infill.Key
---@param lhs string
local function map(key, lhs)
  local itself = vim.keycode(lhs)
  vim.keymap.set(key == 'next_edit' and 'n' or 'i', lhs, function()
    if not M[key]() then
      vim.api.nvim_feedkeys(itself, 'in', false)
    end
  end, { desc = 'infill: ' .. key:gsub('_', ' ') })
end

--- Enables the client; once. Where the server cannot be found, says so when a file needs it.
function M.start()
  if started then
    return
  end
  started = true
  local options, problems = require('infill.options').get()
  for _, problem in ipairs(problems) do
    vim.notify('infill: ' .. problem, vim.log.levels.WARN)
  end
  require('infill.colors').define()
  vim.api.nvim_create_autocmd('ColorScheme', {
    group = vim.api.nvim_create_augroup('infill.colors', {}),
    callback = require('infill.colors').define,
  })
  require('infill.help').tags()
  for key, lhs in pairs(options.keys) do
    map(key, lhs)
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    group = vim.api.nvim_create_augroup('infill', {}),
    callback = function(event)
      local client = vim.lsp.get_client_by_id(event.data.client_id)
      if client and client.name == require('infill.client').NAME then
        require('infill.suggest').attach(client, event.buf)
        if options.next_edit then
          require('infill.next_edit').attach(client, event.buf)
        end
        require('infill.status').refresh(event.buf)
      end
    end,
  })
  if not options.enable then
    return
  elseif vim.fn.executable(options.cmd[1]) == 1 then
    vim.lsp.enable(require('infill.client').NAME)
  else
    require('infill.client').say_missing(options)
  end
end

--- Each gives true if something is shown that it applies to.
--- Where no suggestion is shown: goes to the next edit, and makes it there.
---@return boolean
function M.accept()
  return require('infill.suggest').accept('all') or M.next_edit()
end

---@return boolean
function M.accept_word()
  return require('infill.suggest').accept('word')
end

---@return boolean
function M.accept_line()
  return require('infill.suggest').accept('line')
end

--- Another suggestion, or one where none came unasked. Gives true where the server can be asked.
---@return boolean
function M.next()
  return require('infill.suggest').next()
end

---@return boolean
function M.dismiss()
  return require('infill.suggest').dismiss() or require('infill.next_edit').dismiss()
end

--- To the next edit; there, make it.
---@return boolean
function M.next_edit()
  return require('infill.next_edit').follow()
end

--- Suggestions off or on: for 'all', the 'language' or the 'buffer'.
---@param what? string
function M.toggle(what)
  require('infill.switch').toggle(what or 'all')
end

--- No suggestions for so many minutes, or for ten; or again, if they are snoozed.
---@param minutes? number
function M.snooze(minutes)
  require('infill.switch').snooze(minutes and tostring(minutes) or '')
end

--- A word or a few for a status line; empty where there is nothing to say of the buffer.
---@return string
function M.statusline()
  return require('infill.status').line()
end

return M
