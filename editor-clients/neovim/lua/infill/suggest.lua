-- What is suggested in each buffer, and what the user does with it. Who asks the server and who draws is the
-- `source`'s business: `builtin` on Neovim 0.12, else `own`.
local draft = require('infill.draft')
local place = require('infill.place')
local suggestion = require('infill.suggestion')

local M = {}

---@class infill.Source
---@field redraws? boolean what is drawn does not follow the cursor by itself
---@field attach fun(client: vim.lsp.Client, buf: integer, options: infill.Options)
---@field detach fun(buf: integer)
---@field typed fun(buf: integer) the cursor moved, or insert mode began
---@field left fun(buf: integer) insert mode ended
---@field ask fun(buf: integer) for alternatives, now
---@field draw fun(buf: integer, shown: infill.Suggestion[], index: integer) none: takes back what is drawn
---@field take fun(buf: integer, accept: fun(text?: string)): boolean calls `accept` if what is drawn is this server's

---@class infill.State
---@field source infill.Source
---@field client vim.lsp.Client
---@field shown infill.Suggestion[] what fits the text, best first
---@field index integer which of them is drawn
---@field dismissed? string the line that was not wanted, as it would have become

local states = {} ---@type table<integer, infill.State>

---@param buf integer
---@param all infill.Suggestion[]
---@return infill.Suggestion[]
local function fitting(buf, all)
  local cursor = place.cursor()
  return vim.tbl_filter(function(it)
    return suggestion.rest(buf, it, cursor) ~= nil
  end, all)
end

---@param buf integer
---@param shown infill.Suggestion[]
---@param index integer
local function show(buf, shown, index)
  local state = states[buf]
  state.shown, state.index = shown, index
  state.source.draw(buf, shown, index)
end

--- Now, or, from an <expr> mapping, which must not change text, right after it.
---@param change fun()
local function change_text(change)
  local done, problem = pcall(change)
  if not done and tostring(problem):find('E565') then
    vim.schedule(change)
  elseif not done then
    error(problem, 0)
  end
end

--- Whether something is shown that fits the text as it is now.
---@param buf integer
---@return boolean
function M.shows(buf)
  local state = states[buf]
  local it = state and state.shown[state.index]
  return it ~= nil and place.inserting(buf) and suggestion.rest(buf, it, place.cursor()) ~= nil
end

--- The cursor moved or the text changed: what does not fit any more goes.
---@param buf integer
local function moved(buf)
  draft.clear(buf)
  local state = states[buf]
  if #state.shown > 0 then
    local now, left = state.shown[state.index], fitting(buf, state.shown)
    local index = 1
    for i, it in ipairs(left) do
      index = it == now and i or index
    end
    if #left < #state.shown or state.source.redraws then
      show(buf, left, index)
    end
  end
  state.source.typed(buf)
end

---@param buf integer
local function left(buf)
  draft.clear(buf)
  local state = states[buf]
  state.dismissed = nil
  show(buf, {}, 1)
  state.source.left(buf)
end

--- An answer has come to a request made at `from`. Nil: the server has nothing to say about it.
---@param buf integer
---@param from infill.Place
---@param items lsp.InlineCompletionItem[]?
---@param asked boolean the user wanted another one than what is shown
function M.received(buf, from, items, asked)
  draft.clear(buf)
  local state = states[buf]
  if not state or not items or not place.inserting(buf) then
    return
  elseif #items > 0 then
    require('infill.status').offered(buf)
  end
  local before = asked and state.shown[state.index] or nil
  local read = {} ---@type infill.Suggestion[]
  for _, item in ipairs(items) do
    local it = suggestion.read(item, from, state.client.offset_encoding)
    if it and (asked or it.before .. it.text ~= state.dismissed) then
      table.insert(read, it)
    end
  end
  local shown = fitting(buf, read)
  local same = before and shown[2] and before.before .. before.text == shown[1].before .. shown[1].text
  show(buf, shown, same and 2 or 1)
end

---@param client vim.lsp.Client
---@param buf integer
function M.attach(client, buf)
  local options = require('infill.options').get()
  local source = require(options.ghost == 'builtin' and 'infill.builtin' or 'infill.own')
  states[buf] = { source = source, client = client, shown = {}, index = 1 }
  source.attach(client, buf, options)
  local group = vim.api.nvim_create_augroup('infill.suggest.' .. buf, {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  -- Behind those of vim.lsp.inline_completion, which draws what is there before it asks whether it fits.
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedP' }, function()
    moved(buf)
  end)
  on('InsertLeave', function()
    left(buf)
  end)
  on('LspDetach', function(event)
    if event.data.client_id == client.id then
      source.detach(buf)
      require('infill.status').forget(buf)
      draft.clear(buf)
      states[buf] = nil
      vim.api.nvim_del_augroup_by_id(group)
    end
  end)
end

---@param buf integer
---@param part 'all'|'word'|'line'
---@param text? string of the suggestion, where Neovim has chosen among them
local function accept(buf, part, text)
  local state = states[buf]
  local cursor = place.cursor()
  local it = state and state.shown[state.index]
  for _, other in ipairs(state and text and state.shown or {}) do
    it = suggestion.rest(buf, other, cursor) == text and other or it
  end
  local rest = it and place.inserting(buf) and suggestion.rest(buf, it, cursor)
  if not rest then
    return
  end
  local taken = suggestion.leading(rest, part)
  local whole = taken == rest or rest:sub(#taken + 1) == it.replaced
  local over = taken == rest and #it.replaced or 0
  local row, col = cursor[1], cursor[2]
  local lines = vim.split(taken, '\n', { plain = true })
  vim.cmd('let &g:undolevels = &g:undolevels') -- undone by itself, see :help undo-break
  vim.api.nvim_buf_set_text(buf, row, col, row, col + over, lines)
  vim.api.nvim_win_set_cursor(0, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
  show(buf, whole and {} or fitting(buf, { it }), 1)
  if whole and it.command then
    state.client:exec_cmd(it.command, { bufnr = buf })
  end
end

---@param part 'all'|'word'|'line'
---@return boolean whether there is something to accept
function M.accept(part)
  local buf = vim.api.nvim_get_current_buf()
  return M.shows(buf)
    and states[buf].source.take(buf, function(text)
      change_text(function()
        accept(buf, part, text)
      end)
    end)
end

---@return boolean
function M.next()
  local buf = vim.api.nvim_get_current_buf()
  local state = states[buf]
  if not state or not place.inserting(buf) then
    return false
  end
  state.dismissed = nil
  if #state.shown > 1 then
    show(buf, state.shown, state.index % #state.shown + 1)
  else
    state.source.ask(buf)
  end
  return true
end

---@return boolean
function M.dismiss()
  local buf = vim.api.nvim_get_current_buf()
  if not M.shows(buf) then
    return false
  end
  local it = states[buf].shown[states[buf].index]
  states[buf].dismissed = it.before .. it.text
  show(buf, {}, 1)
  return true
end

return M
