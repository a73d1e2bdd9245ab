-- Turning suggestions off and on again: for all, for a language, for a buffer, for some minutes. What is to last
-- longer than this Neovim is in the user's own configuration.
local client = require('infill.client')

local M = {}

local SNOOZE_MINUTES = 10

--- Changes the server's settings, for the clients that run and for those to come.
---@param change table<string, any>
---@param filetypes? string[]
local function configure(change, filetypes)
  local settings = { infill = change }
  vim.lsp.config(client.NAME, { settings = settings, filetypes = filetypes })
  for _, each in ipairs(vim.lsp.get_clients({ name = client.NAME })) do
    each.settings = vim.tbl_deep_extend('force', each.settings or {}, settings)
    each:notify('workspace/didChangeConfiguration', { settings = each.settings })
  end
end

---@param name string
---@param default any
local function setting(name, default)
  local value = vim.tbl_get(vim.lsp.config[client.NAME] or {}, 'settings', 'infill', name)
  return value == nil and default or value
end

--- Says what holds for the buffer by now.
---@param document infill.Document
local function say(document)
  client.say(document.on and 'suggestions are on in this buffer' or document.message)
end

local function ask_and_say()
  require('infill.status').refresh(vim.api.nvim_get_current_buf(), say)
end

local function everywhere()
  local on = setting('enable', true) == false
  configure({ enable = on })
  if client.of(0) then
    ask_and_say()
  else
    client.say(on and 'suggestions are on' or 'suggestions are off')
  end
end

--- For the buffer's language; a server that was not started for it is.
local function language()
  local buf = vim.api.nvim_get_current_buf()
  local filetype = vim.bo[buf].filetype
  if filetype == '' then
    client.say('this buffer has no file type', vim.log.levels.WARN)
    return
  end
  local config = vim.lsp.config[client.NAME]
  local id = config.get_language_id and config.get_language_id(buf, filetype) or filetype
  local languages, filetypes = setting('languages', require('infill.options').LANGUAGES), config.filetypes or {}
  local on = client.is_off_for(filetype) or not vim.list_contains(languages, id)
  local others = vim.tbl_filter(function(each)
    return each ~= id
  end, languages)
  if on and client.is_off_for(filetype) then
    filetypes = vim.list_extend(vim.list_slice(filetypes), { filetype })
  end
  configure({ languages = on and vim.list_extend(others, { id }) or others }, filetypes)
  if client.of(buf) then
    ask_and_say()
  elseif on then
    vim.api.nvim_exec_autocmds('FileType', { group = 'nvim.lsp.enable', buffer = buf, modeline = false })
    client.say(('suggestions are on for %s'):format(filetype))
  end
end

--- For the buffer, until it is closed.
local function buffer()
  local server = client.needed()
  if server then
    local buf = vim.api.nvim_get_current_buf()
    client.execute(server, 'infill.toggle', { uri = vim.uri_from_bufnr(buf) }, function(document)
      require('infill.status').is(buf, document)
      say(document)
    end)
  end
end

local function next_edits()
  require('infill.next_edit').toggle()
end

local TOGGLES = { all = everywhere, language = language, buffer = buffer, nextedit = next_edits }

---@return string[]
function M.names()
  local names = vim.tbl_keys(TOGGLES)
  table.sort(names)
  return names
end

---@param what string '' for all
function M.toggle(what)
  local toggle = TOGGLES[what == '' and 'all' or what]
  if not toggle then
    client.say(('there is no :Infill toggle %s; there are %s'):format(what, table.concat(M.names(), ', ')), 4)
    return
  end
  require('infill.suggest').dismiss()
  toggle()
end

---@param minutes string '' for ten, or to wake
function M.snooze(minutes)
  local server, number = client.needed(), tonumber(minutes)
  if minutes ~= '' and not number then
    client.say((':Infill snooze takes a number of minutes, not %s'):format(minutes), vim.log.levels.ERROR)
  elseif server then
    local buf = vim.api.nvim_get_current_buf()
    local status = require('infill.status')
    local sleeps = (status.document(buf) or {}).reason == 'snoozed'
    number = number or (sleeps and 0 or SNOOZE_MINUTES)
    require('infill.suggest').dismiss()
    client.execute(server, 'infill.snooze', { minutes = number, uri = vim.uri_from_bufnr(buf) }, function(document)
      for each in pairs(server.attached_buffers) do
        status.refresh(each)
      end
      say(document)
    end)
  end
end

return M
