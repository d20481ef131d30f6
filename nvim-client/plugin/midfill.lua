-- The command, and a set-up with the defaults unless the configuration does it or forbids it.
if vim.g.loaded_midfill then
  return
end
vim.g.loaded_midfill = true

vim.api.nvim_create_user_command('Midfill', function(call)
  require('midfill.command').run(call)
end, {
  nargs = '*',
  desc = 'Midfill: what it is doing, and what it should do',
  complete = function(start, line)
    return require('midfill.command').complete(start, line)
  end,
})

-- Later: a plugin manager sources this file before it calls `setup` with the user's options.
vim.schedule(function()
  if not vim.g.midfill_no_setup and not vim.g.midfill_is_set_up then
    require('midfill').setup()
  end
end)
