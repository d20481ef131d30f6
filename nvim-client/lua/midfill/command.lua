---`:Midfill`: its subcommands and their completion.
local keys = require('midfill.keys')
local options = require('midfill.options')
local server = require('midfill.server')
local status = require('midfill.status')

local M = {}

---@param message string
local function say(message)
  vim.notify(('Midfill: %s'):format(message))
end

---More than a line, beside the caret; it goes with the next key.
---@param sentence string
local function show(sentence)
  local _, window = vim.lsp.util.open_floating_preview({ sentence }, 'plaintext', {
    border = 'rounded',
    max_width = 70,
    title = 'Midfill',
    wrap = true,
  })
  vim.wo[window].linebreak = true
end

---@return vim.lsp.Client?
local function client_here()
  local client = server.of(0)
  if not client then
    vim.notify('Midfill: no server for this buffer, see :checkhealth midfill', vim.log.levels.WARN)
  end
  return client
end

---@param changes table
---@param message string
local function change(changes, message)
  options.change(changes)
  server.configure()
  require('midfill.suggest').leave()
  say(message)
end

---Take `value` out of the list if it is there, else add it.
---@param name 'disabled_languages'|'disabled_folders'
---@param value string
local function toggle_in(name, value)
  local without = vim.tbl_filter(function(each)
    return each ~= value
  end, options.current[name])
  local was_there = #without < #options.current[name]
  if not was_there then
    table.insert(without, value)
  end
  local message = was_there and '%s is enabled' or '%s is disabled until Neovim ends'
  change({ [name] = without }, message:format(value))
end

---@class (exact) midfill.Subcommand
---@field run fun(argument?: string)
---@field complete? string what `getcompletion` lists for its argument

---@type table<string, midfill.Subcommand>
local SUBCOMMANDS = {
  status = {
    run = function()
      local client = client_here()
      if client then
        vim.notify(status.sentence(status.of(client)))
      end
    end,
  },
  explain = {
    run = function()
      local client = client_here()
      if client then
        server.execute(client, 'midfill.explain', nil, show)
      end
    end,
  },
  enable = {
    run = function()
      change({ enabled = true }, 'enabled')
    end,
  },
  disable = {
    run = function()
      change({ enabled = false }, 'disabled')
    end,
  },
  toggle = {
    run = function()
      local enabled = not options.current.enabled
      change({ enabled = enabled }, enabled and 'enabled' or 'disabled')
    end,
  },
  automatic = {
    run = function()
      change({ trigger = 'automatic' }, 'suggestions come by themselves')
    end,
  },
  manual = {
    run = function()
      change({ trigger = 'manual' }, 'suggestions come when they are asked for')
    end,
  },
  language = {
    complete = 'filetype',
    run = function(language)
      toggle_in('disabled_languages', language or vim.bo.filetype)
    end,
  },
  folder = {
    complete = 'dir',
    run = function(folder)
      local client = server.of(0)
      local root = folder or (client and client.root_dir) or vim.fn.getcwd()
      toggle_in('disabled_folders', vim.fs.abspath(vim.fs.normalize(root)))
    end,
  },
  restart = { run = server.restart },
  log = {
    run = function()
      vim.cmd.tabnew(vim.fn.fnameescape(vim.lsp.log.get_filename()))
      vim.cmd.normal({ 'G', bang = true })
    end,
  },
  health = {
    run = function()
      vim.cmd.checkhealth('midfill')
    end,
  },
}

for action, run in pairs(keys.ACTIONS) do
  SUBCOMMANDS[action] = { run = run }
end

---@param names string[]
---@param start string
---@return string[]
local function matching(names, start)
  return vim.tbl_filter(function(name)
    return vim.startswith(name, start)
  end, vim.fn.sort(names))
end

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local subcommand = SUBCOMMANDS[call.fargs[1] or 'status']
  if not options.current then
    vim.notify("Midfill: call require('midfill').setup() first", vim.log.levels.ERROR)
  elseif not subcommand then
    vim.notify(('Midfill: no subcommand %s'):format(call.fargs[1]), vim.log.levels.ERROR)
  else
    subcommand.run(call.fargs[2])
  end
end

---@param start string
---@param line string
---@return string[]
function M.complete(start, line)
  local before = vim.split(line:sub(1, #line - #start), '%s+', { trimempty = true })
  if #before <= 1 then
    return matching(vim.tbl_keys(SUBCOMMANDS), start)
  end
  local subcommand = SUBCOMMANDS[before[2]]
  local kind = #before == 2 and subcommand and subcommand.complete
  return kind and vim.fn.getcompletion(start, kind) or {}
end

return M
