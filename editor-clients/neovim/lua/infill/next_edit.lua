-- The next edit: where it is, what it changes, and the key that goes there and then makes it.
local client = require('infill.client')
local place = require('infill.place')
local words = require('infill.words')

local M = {}

local WAIT_MS = 150 -- after the last key, so that who types on is not asked for
local NAMESPACE = vim.api.nvim_create_namespace('infill.next_edit')

---@class infill.NextEdit
---@field row integer the first and the last place of what is replaced, in bytes from 0
---@field col integer
---@field end_row integer
---@field end_col integer
---@field text string
---@field tick integer of the text that it fits
---@field command lsp.Command to be run when it has been made; `infill.dismissed` takes the same argument

local shown = {} ---@type table<integer, infill.NextEdit>
local waiting = {} ---@type table<integer, uv.uv_timer_t>
local asked = {} ---@type table<integer, fun()> each cancels a request
local on = true

--- On one line, as all that is drawn beside text.
---@param text string
---@return string
local function line_of(text)
  local line = text:gsub('%s*\n%s*', ' ⏎ ')
  return vim.fn.strcharpart(line, 0, 160)
end

---@param buf integer
local function clear(buf)
  if asked[buf] then
    asked[buf]()
    asked[buf] = nil
  end
  shown[buf] = nil
  vim.api.nvim_buf_clear_namespace(buf, NAMESPACE, 0, -1)
end

--- The place so many bytes behind the edit's first.
---@param it infill.NextEdit
---@param before string what is replaced
---@param bytes integer
---@return integer row
---@return integer col
local function behind(it, before, bytes)
  local lines = vim.split(before:sub(1, bytes), '\n', { plain = true })
  return it.row + #lines - 1, (#lines == 1 and it.col or 0) + #lines[#lines]
end

---@param buf integer
local function draw(buf)
  local it = shown[buf]
  vim.api.nvim_buf_clear_namespace(buf, NAMESPACE, 0, -1)
  if not it or vim.api.nvim_get_current_buf() ~= buf then
    return
  end
  local function mark(row, col, look)
    vim.api.nvim_buf_set_extmark(buf, NAMESPACE, row, col, look)
  end
  local before = table.concat(vim.api.nvim_buf_get_text(buf, it.row, it.col, it.end_row, it.end_col, {}), '\n')
  for _, change in ipairs(words.changes(before, it.text)) do
    local row, col = behind(it, before, change.first)
    local end_row, end_col = behind(it, before, change.last)
    if change.last > change.first then
      mark(row, col, { end_row = end_row, end_col = end_col, hl_group = 'InfillNextEditRemoved' })
    end
    if change.text ~= '' then
      local text = { { line_of(change.text), 'InfillNextEditAdded' } }
      mark(end_row, end_col, { virt_text = text, virt_text_pos = 'inline' })
    end
  end
  mark(it.row, 0, { sign_text = '→', sign_hl_group = 'InfillNextEdit' })
  if it.row + 1 < vim.fn.line('w0') or it.row + 1 > vim.fn.line('w$') then
    local note = ('  → line %d: %s'):format(it.row + 1, line_of(it.text))
    mark(place.cursor()[1], 0, { virt_text = { { note, 'InfillNextEdit' } } })
  end
end

---@param edit table as docs/protocol.md has it
---@param buf integer
---@param encoding string
---@return infill.NextEdit
local function read(edit, buf, encoding)
  local function byte(position)
    local line = vim.api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1] or ''
    return vim.str_byteindex(line, encoding, position.character, false)
  end
  local range = edit.range
  return {
    row = range.start.line,
    col = byte(range.start),
    end_row = range['end'].line,
    end_col = byte(range['end']),
    text = edit.text:gsub('\r\n?', '\n'),
    tick = vim.api.nvim_buf_get_changedtick(buf),
    command = edit.command,
  }
end

---@param buf integer
local function ask(buf)
  local server = client.of(buf)
  if not on or not server or vim.api.nvim_get_current_buf() ~= buf then
    return
  end
  local tick, uri = vim.api.nvim_buf_get_changedtick(buf), vim.uri_from_bufnr(buf)
  local params = {
    textDocument = { uri = uri, version = vim.lsp.util.buf_versions[buf] },
    position = place.range(nil, server.offset_encoding).start,
    context = {
      diagnostics = vim.lsp.diagnostic.from(vim.diagnostic.get(buf, { severity = vim.diagnostic.severity.ERROR })),
    },
  }
  ---@diagnostic disable-next-line: param-type-mismatch
  local sent, id = server:request('infill/nextEdit', params, function(_, answer)
    asked[buf] = nil
    local edit = type(answer) == 'table' and answer.edits[1]
    local same = vim.api.nvim_buf_is_valid(buf) and vim.api.nvim_buf_get_changedtick(buf) == tick
    if edit and same and edit.textDocument.uri == uri then
      shown[buf] = read(edit, buf, server.offset_encoding)
      draw(buf)
    end
  end, buf)
  asked[buf] = sent and function()
    server:cancel_request(id)
  end or nil
end

---@param buf integer
local function soon(buf)
  clear(buf)
  waiting[buf] = waiting[buf] or vim.uv.new_timer()
  waiting[buf]:start(
    WAIT_MS,
    0,
    vim.schedule_wrap(function()
      if vim.api.nvim_buf_is_valid(buf) then
        ask(buf)
      end
    end)
  )
end

---@param server vim.lsp.Client
---@param buf integer
function M.attach(server, buf)
  local group = vim.api.nvim_create_augroup('infill.next_edit.' .. buf, {})
  local function at(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  at({ 'TextChanged', 'TextChangedI' }, function()
    soon(buf)
  end)
  at({ 'CursorMoved', 'CursorMovedI', 'WinScrolled', 'BufEnter' }, function()
    draw(buf)
  end)
  at({ 'LspDetach', 'BufUnload' }, function(event)
    if event.event == 'BufUnload' or event.data.client_id == server.id then
      clear(buf)
      if waiting[buf] then
        waiting[buf]:close()
        waiting[buf] = nil
      end
      vim.api.nvim_del_augroup_by_id(group)
    end
  end)
end

---@param buf integer
---@param it infill.NextEdit
local function apply(buf, it)
  clear(buf)
  local lines = vim.split(it.text, '\n', { plain = true })
  vim.cmd('let &g:undolevels = &g:undolevels') -- undone by itself, see :help undo-break
  vim.api.nvim_buf_set_text(buf, it.row, it.col, it.end_row, it.end_col, lines)
  local col = (#lines == 1 and it.col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { it.row + #lines, col })
  local server = client.of(buf)
  if server then
    server:exec_cmd(it.command, { bufnr = buf })
  end
end

--- To the next edit; there, make it. Gives true if there is one.
---@return boolean
function M.follow()
  local buf = vim.api.nvim_get_current_buf()
  local it = shown[buf]
  if not it or it.tick ~= vim.api.nvim_buf_get_changedtick(buf) or vim.fn.pumvisible() == 1 then
    return false
  end
  local row = place.cursor()[1]
  vim.schedule(function() -- an <expr> mapping must not change text
    if shown[buf] ~= it then
      return
    elseif row >= it.row and row <= it.end_row then
      apply(buf, it)
    else
      vim.cmd("normal! m'") -- so that CTRL-O comes back
      vim.api.nvim_win_set_cursor(0, { it.row + 1, it.col })
    end
  end)
  return true
end

--- Gives true if there was one.
---@return boolean
function M.dismiss()
  local buf = vim.api.nvim_get_current_buf()
  local it, server = shown[buf], client.of(buf)
  if not it then
    return false
  end
  clear(buf)
  if server then
    client.execute(server, 'infill.dismissed', it.command.arguments[1])
  end
  return true
end

--- Off or on, until Neovim ends.
function M.toggle()
  on = not on
  clear(vim.api.nvim_get_current_buf())
  client.say(on and 'next edits are on' or 'next edits are off')
end

return M
