-- Health of a StreamIngest or an HourlyCompaction in Argo CD, which runs Lua 5.1.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function says(kind)
  local condition = conditions[kind]
  if condition ~= nil and condition.status == "True" then
    return condition
  end
end

local function health(word, condition)
  local message = ""
  if condition ~= nil then
    message = condition.reason or ""
    if condition.message ~= nil and condition.message ~= "" then
      message = message .. ": " .. condition.message
    end
  end
  return { status = word, message = message }
end

-- What the operator said of another generation says nothing of this one.
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not seen this generation yet" }
end
if says("Stalled") then
  return health("Degraded", conditions.Stalled)
end
-- Ready is True as well while a resource is suspended.
if says("Suspended") then
  return health("Suspended", conditions.Suspended)
end
if says("Ready") then
  return health("Healthy", conditions.Ready)
end
return health("Progressing", conditions.Ready)
