-- What the worker does, as `infill/status` tells it, in a few words.
local M = {}

---@class infill.Status
---@field state 'idle'|'loading'|'busy'|'degraded'|'stopped'
---@field message string
---@field progress? number of loading, from 0 to 1
---@field latency? number ms of the last fill

local told = {} ---@type table<integer, infill.Status> by client

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
  local now = M.now()
  if not now then
    return ''
  elseif now.state == 'loading' and now.progress then
    return ('infill loading %d%%%%'):format(math.floor(now.progress * 100 + 0.5))
  elseif now.state == 'idle' or now.state == 'busy' then
    local took = now.latency and (' %d ms'):format(math.floor(now.latency + 0.5)) or ''
    return 'infill' .. (now.state == 'busy' and ' ...' or took)
  end
  return 'infill ' .. now.state
end

return M
