-- A queue of jobs by priority.
local Queue = {}
Queue.__index = Queue

function Queue.new(limit)
  local self = setmetatable({}, Queue)
  self.limit = limit or 100
  self.jobs = {}
  return self
end

function Queue:push(job)
  if #self.jobs >= self.limit then
    error("more than " .. self.limit .. " jobs")
  end
  table.insert(self.jobs, job)
  table.sort(self.jobs, function(a, b) return a.priority < b.priority end)
end

function Queue:names(tag)
  local found = {}
  for _, job in ipairs(self.jobs) do
    if tag == nil or job.tags[tag] then
      found[#found + 1] = job.name
    end
  end
  return found
end

function Queue:clear()
  -- TODO: forget all jobs
end

return Queue
