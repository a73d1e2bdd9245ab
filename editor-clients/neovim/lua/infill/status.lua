-- What the worker does, as `infill/status` tells it, and whether suggestions come in a buffer, in a few words.
local M = {}

---@class infill.Status
---@field state 'idle'|'loading'|'busy'|'degraded'|'stopped'
---@field message string
---@field progress? number of loading, from 0 to 1
---@field latency? number ms of the last fill

local told = {} ---@type table<integer, infill.Status> by client

---@class infill.Document whether suggestions come unasked in a buffer
---@field on boolean
---@field reason string a stable word; empty where they do
---@field message string
---@field minutes number that are left of a snooze

local documents = {} ---@type table<integer, infill.Document> by buffer
local silences = {} ---@type table<integer, string> why the last place stayed silent, by buffer

---@param buf integer
---@param document infill.Document
function M.is(buf, document)
  if not vim.api.nvim_buf_is_valid(buf) then
    return
  end
  documents[buf] = document
  vim.cmd.redrawstatus()
  if document.minutes > 0 then
    vim.defer_fn(function()
      M.refresh(buf)
    end, math.ceil(document.minutes * 60000) + 500)
  end
end

---@param buf integer
---@return infill.Document?
function M.document(buf)
  return documents[buf]
end

--- Asks the server what holds for the buffer.
---@param buf integer
---@param answered? fun(document: infill.Document)
function M.refresh(buf, answered)
  local client = vim.api.nvim_buf_is_valid(buf) and require('infill.client').of(buf)
  if not client then
    return
  end
  local params = { command = 'infill.status', arguments = { { uri = vim.uri_from_bufnr(buf) } } }
  ---@diagnostic disable-next-line: param-type-mismatch
  client:request('workspace/executeCommand', params, function(_, answer)
    local document = type(answer) == 'table' and answer.document
    if document then
      M.is(buf, document)
      if answered then
        answered(document)
      end
    end
  end, buf)
end

---@param refused { uri: string, position: lsp.Position, message: string }
function M.refused(refused)
  silences[vim.uri_to_bufnr(refused.uri)] = ('line %d: %s'):format(refused.position.line + 1, refused.message)
end

--- Something was offered.
---@param buf integer
function M.offered(buf)
  silences[buf] = nil
end

---@param buf integer
---@return string?
function M.silence(buf)
  return silences[buf]
end

---@param buf integer
function M.forget(buf)
  documents[buf], silences[buf] = nil, nil
end

---@param status infill.Status
---@param client_id integer
function M.received(status, client_id)
  told[client_id] = status
  vim.api.nvim_exec_autocmds('User', { pattern = 'InfillStatus', modeline = false, data = status })
  vim.cmd.redrawstatus()
end

--- The last that the buffer's server said.
---@return infill.Status?
function M.now()
  local client = require('infill.client').of(0)
  return client and (told[client.id] or { state = 'idle', message = '' })
end

---@return string
function M.line()
  local now, document = M.now(), documents[vim.api.nvim_get_current_buf()]
  if not now then
    local off = vim.bo.buftype == '' and require('infill.client').is_off_for(vim.bo.filetype)
    return off and 'infill off' or ''
  elseif document and not document.on then
    return document.reason == 'snoozed' and 'infill snoozed' or 'infill off'
  elseif now.state == 'loading' and now.progress then
    return ('infill loading %d%%%%'):format(math.floor(now.progress * 100 + 0.5))
  elseif now.state == 'idle' or now.state == 'busy' then
    local took = now.latency and (' %d ms'):format(math.floor(now.latency + 0.5)) or ''
    return 'infill' .. (now.state == 'busy' and ' ...' or took)
  end
  return 'infill ' .. now.state
end

return M
