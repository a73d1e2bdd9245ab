-- The tags of this plugin's help, made where nobody has made them: so `:help infill` works without :helptags.
local M = {}

function M.tags()
  local text = vim.api.nvim_get_runtime_file('doc/infill.txt', false)[1]
  if not text then
    return
  end
  local folder = vim.fs.dirname(text)
  local tags = vim.uv.fs_stat(vim.fs.joinpath(folder, 'tags'))
  if not tags or tags.mtime.sec < vim.uv.fs_stat(text).mtime.sec then
    pcall(vim.cmd.helptags, vim.fn.fnameescape(folder)) -- the folder may not be ours to write
  end
end

return M
