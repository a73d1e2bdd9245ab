-- Neovim 0.12 asks and draws (vim.lsp.inline_completion); this stands between it and the client. It passes on only
-- what fits the text by then, does not ask again for what is shown, and gives Neovim what it does not ask for
-- itself: alternatives, the rest of what was accepted in part, and suggestions for who types steadily, since
-- Neovim waits for 200 ms without a key.
local place = require('infill.place')
local suggestion = require('infill.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2

---@class infill.Builtin
---@field client vim.lsp.Client
---@field automatic boolean
---@field debounce integer ms
---@field timer uv.uv_timer_t
---@field asked? string the text and the cursor of the last request
---@field answer? lsp.Handler Neovim's, from its last request
---@field asks boolean its next request is for the user
---@field send? fun(kind: integer) a request like its last, as of now

local buffers = {} ---@type table<integer, infill.Builtin>
local wrapped = {} ---@type table<integer, boolean> by client

---@param buf integer
---@return string
local function now(buf)
  return table.concat({ vim.api.nvim_buf_get_changedtick(buf), unpack(place.cursor()) }, ' ')
end

--- Neovim's requests go through here, with the handler that shows their answers.
---@param client vim.lsp.Client
local function wrap(client)
  local request = client.request
  client.request = function(self, method, params, handler, buf)
    local here = method == METHOD and handler and buffers[buf]
    if not here then
      return request(self, method, params, handler, buf)
    end
    local suggest = require('infill.suggest')
    here.answer = handler
    here.send = function(kind)
      local from, asked = place.here(), kind == INVOKED
      here.timer:stop()
      here.asked = now(buf)
      params.position = place.range(nil, self.offset_encoding).start
      params.context = { triggerKind = kind }
      request(self, method, params, function(err, result, context)
        if err then
          handler(err, result, context)
        end
        suggest.received(buf, from, not err and result and (result.items or result) or nil, asked)
      end, buf)
    end
    local kind = here.asks and INVOKED or params.context.triggerKind
    here.asks = false
    if not place.inserting(buf) then
      return true -- what it asks in other modes is drawn nowhere
    elseif kind == INVOKED or (here.automatic and not suggest.shows(buf) and here.asked ~= now(buf)) then
      here.send(kind)
    end
    return true
  end
end

function M.attach(client, buf, options)
  buffers[buf] = {
    client = client,
    automatic = options.automatic,
    debounce = options.debounce,
    timer = assert(vim.uv.new_timer()),
    asks = false,
  }
  if not wrapped[client.id] then
    wrapped[client.id] = true
    wrap(client)
  end
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

function M.detach(buf)
  buffers[buf].timer:close()
  buffers[buf] = nil
end

function M.typed(buf)
  local here = buffers[buf]
  here.timer:stop()
  if not here.automatic or not here.send or require('infill.suggest').shows(buf) then
    return
  end
  here.timer:start(here.debounce, 0, function()
    vim.schedule(function()
      if buffers[buf] == here and place.inserting(buf) and here.asked ~= now(buf) then
        here.send(AUTOMATIC)
      end
    end)
  end)
end

function M.left(buf)
  buffers[buf].timer:stop()
  buffers[buf].asked = nil -- who comes back asks again, even if nothing was typed
end

function M.ask(buf)
  local here = buffers[buf]
  if here.send then
    here.send(INVOKED)
  else
    here.asks = true -- insert mode has begun just now
  end
end

function M.draw(buf, shown, index)
  local here = buffers[buf]
  if not here.answer then
    return
  end
  local cursor, encoding = place.cursor(), here.client.offset_encoding
  local items = {}
  for _, it in ipairs(shown) do
    table.insert(items, suggestion.item(buf, it, cursor, encoding))
  end
  here.answer(nil, { items = items }, { client_id = here.client.id, bufnr = buf, method = METHOD })
  if index > 1 and #items >= index then
    vim.lsp.inline_completion.select({ bufnr = buf, count = index - 1 })
  end
end

function M.take(buf, accept)
  local clients = vim.lsp.get_clients({ bufnr = buf, method = METHOD })
  if #clients == 1 then
    accept()
    return true
  end
  return vim.lsp.inline_completion.get({ -- Neovim knows whose is drawn
    bufnr = buf,
    on_accept = function(item)
      if not buffers[buf] or item.client_id ~= buffers[buf].client.id then
        return item
      end
      accept(item.insert_text)
    end,
  })
end

return M
