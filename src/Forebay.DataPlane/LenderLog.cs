using Forebay.Core;
using Microsoft.Extensions.Logging;

namespace Forebay.DataPlane;

/// <summary>What a node says of those who would borrow: any program of this machine may connect, so ten lines a second, then a count. Its own failures are all told. Thread-safe.</summary>
internal sealed class LenderLog(ILogger logger, TimeProvider time)
{
    internal const int LinesPerSecond = 10;
    private readonly LineBudget _budget = new(time, LinesPerSecond, suppressed => DataPlaneLog.Suppressed(logger, suppressed));

    internal void Stranger(string user)
    {
        if (_budget.MayLog())
        {
            DataPlaneLog.Stranger(logger, user);
        }
    }

    internal void Malformed(string why)
    {
        if (_budget.MayLog())
        {
            DataPlaneLog.Malformed(logger, why);
        }
    }

    internal void Refused(string mount)
    {
        if (_budget.MayLog())
        {
            DataPlaneLog.Refused(logger, mount);
        }
    }

    internal void Failed(Exception error) => DataPlaneLog.Failed(logger, error);
}
