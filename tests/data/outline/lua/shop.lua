local prices = require("shop.prices")
local json = require "json"

local M = {}
local limit = 3

-- Places it.
function M.place(order, late)
  return late
end

function M:keep(order) end

M.version = "1"
M.make = function(x) return x end

local function hidden() end

return M
