---The user's options: defaults, `vim.g.midfill` and what `setup` is given, each over the last.
local M = {}

---@class (exact) midfill.Options
---@field cmd string[] the program of the language server
---@field enabled boolean
---@field trigger 'automatic'|'manual' manual: a suggestion comes only when it is asked for
---@field disabled_languages string[] file types in which nothing is suggested
---@field disabled_folders string[] absolute paths below which nothing is suggested
---@field keys table<string, string|false> what is mapped in Insert mode; false: nothing
---@field server table<string, any> further options of the server, as it names them

---@return midfill.Options
local function defaults()
  return {
    cmd = M.installed() or { 'midfill-lsp' },
    enabled = true,
    trigger = 'automatic',
    disabled_languages = {},
    disabled_folders = {},
    keys = {
      accept = '<Tab>',
      accept_word = '<M-Right>',
      accept_line = '<M-Down>',
      -- Not <M-]> and <M-[>: to a terminal they are the beginnings of longer sequences.
      next = '<M-n>',
      previous = '<M-p>',
      dismiss = '<C-]>',
      trigger = '<M-\\>',
    },
    server = {},
  }
end

---The options in use. Only `set` and `change` write them.
---@type midfill.Options
M.current = nil

---@alias midfill.Check fun(value: any): string? what a value must be, nil if it is

---@type midfill.Check
local function flag(value)
  return type(value) ~= 'boolean' and 'true or false' or nil
end

---@type midfill.Check
local function texts(value)
  local is_one = function(each)
    return type(each) == 'string'
  end
  local good = vim.islist(value) and vim.iter(value):all(is_one)
  return not good and 'a list of texts' or nil
end

---@type midfill.Check
local function program(value)
  return (texts(value) or #value == 0) and 'a path, or a list of a path and arguments' or nil
end

---@type midfill.Check
local function trigger(value)
  return value ~= 'automatic' and value ~= 'manual' and '"automatic" or "manual"' or nil
end

---@type midfill.Check
local function keys(value)
  if type(value) ~= 'table' then
    return 'a table'
  end
  local known = defaults().keys
  for action, key in pairs(value) do
    if known[action] == nil then
      return 'a table of ' .. table.concat(vim.fn.sort(vim.tbl_keys(known)), ', ')
    elseif key ~= false and type(key) ~= 'string' then
      return ('a table in which %s is a key or false'):format(action)
    end
  end
end

---@type midfill.Check
local function settings(value)
  return type(value) ~= 'table' and 'a table' or nil
end

---@type table<string, midfill.Check>
local CHECKS = {
  cmd = program,
  enabled = flag,
  trigger = trigger,
  disabled_languages = texts,
  disabled_folders = texts,
  keys = keys,
  server = settings,
}

---Where `midfill setup nvim` has put the server of this installation.
---@return string[]?
function M.installed()
  local found, installed = pcall(require, 'midfill.installed')
  return found and installed.cmd or nil
end

---@param options midfill.Options
---@param raw table
---@return string[] problems a sentence for each option that was not taken
local function take(options, raw)
  local problems = {}
  for name, value in pairs(raw) do
    value = name == 'cmd' and type(value) == 'string' and { value } or value
    local check = CHECKS[name]
    local must_be = check and check(value)
    if not check then
      table.insert(problems, ('unknown option %s'):format(name))
    elseif must_be then
      table.insert(problems, ('%s must be %s'):format(name, must_be))
    elseif check == keys or check == settings then
      options[name] = vim.tbl_extend('force', options[name], value)
    else
      options[name] = value
    end
  end
  return problems
end

---@param opts? table
---@return string[] problems
function M.set(opts)
  M.current = defaults()
  local problems = {}
  for _, raw in ipairs({ vim.g.midfill or {}, opts or {} }) do
    if type(raw) == 'table' then
      vim.list_extend(problems, take(M.current, raw))
    else
      table.insert(problems, 'the options must be a table')
    end
  end
  return problems
end

---@param changes table
function M.change(changes)
  M.current = vim.tbl_extend('force', M.current, changes)
end

---What the server is told: at the start as initialization options, later as its settings.
---@param options midfill.Options
---@return table<string, any>
function M.for_server(options)
  return vim.tbl_extend('force', options.server, {
    enabled = options.enabled,
    trigger = options.trigger,
    disabledLanguages = options.disabled_languages,
    disabledFolders = options.disabled_folders,
    -- We ask at every change and draw what comes; to wait and to choose is left to the server.
    clientWaitMs = 0,
    streaming = 'live',
  })
end

return M
