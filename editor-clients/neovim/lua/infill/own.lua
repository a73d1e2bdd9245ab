-- Asks and draws where Neovim does not: before 0.12, or if the user prefers it.
local ghost = require('infill.ghost')
local place = require('infill.place')
local suggestion = require('infill.suggestion')

local M = { redraws = true }

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2
local namespace = ghost.namespace('ghost')

---@class infill.Own
---@field client vim.lsp.Client
---@field automatic boolean
---@field debounce integer ms
---@field timer uv.uv_timer_t
---@field asked integer requests so far; only the newest one's answer counts

local buffers = {} ---@type table<integer, infill.Own>

---@param buf integer
---@param kind integer
local function request(buf, kind)
  local here = buffers[buf]
  local from = place.here()
  here.timer:stop()
  here.asked = here.asked + 1
  local number = here.asked
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buf) },
    position = place.range(nil, here.client.offset_encoding).start,
    context = { triggerKind = kind },
  }
  here.client:request(METHOD, params, function(err, result)
    if buffers[buf] == here and number == here.asked then
      local items = not err and result and (result.items or result) or nil
      require('infill.suggest').received(buf, from, items, kind == INVOKED)
    end
  end, buf)
end

function M.attach(client, buf, options)
  buffers[buf] = {
    client = client,
    automatic = options.automatic,
    debounce = options.debounce,
    timer = assert(vim.uv.new_timer()),
    asked = 0,
  }
end

function M.detach(buf)
  ghost.clear(namespace, buf)
  buffers[buf].timer:close()
  buffers[buf] = nil
end

function M.typed(buf)
  local here = buffers[buf]
  here.timer:stop()
  if not here.automatic or require('infill.suggest').shows(buf) then
    return
  end
  here.timer:start(here.debounce, 0, function()
    vim.schedule(function()
      if buffers[buf] == here and place.inserting(buf) then
        request(buf, AUTOMATIC)
      end
    end)
  end)
end

function M.left(buf)
  local here = buffers[buf]
  here.timer:stop()
  here.asked = here.asked + 1
end

function M.ask(buf)
  request(buf, INVOKED)
end

function M.draw(buf, shown, index)
  local it, cursor = shown[index], place.cursor()
  local rest = it and suggestion.rest(buf, it, cursor)
  if not rest then
    ghost.clear(namespace, buf)
    return
  end
  ghost.draw(namespace, buf, cursor, {
    text = rest,
    group = 'InfillGhost',
    over = it.replaced ~= '',
    hint = index > 1 and (' (%d/%d)'):format(index, #shown) or nil,
  })
end

function M.take(_, accept)
  accept()
  return true
end

return M
