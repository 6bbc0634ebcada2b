using System.Runtime.InteropServices;

namespace Forebay.Core;

/// <summary>System calls that failed, as errors.</summary>
public static class SystemError
{
    /// <summary>The failure of this thread's last system call.</summary>
    /// <param name="what">What it means, a sentence without its end: <c>no socket can be made</c>.</param>
    public static ForebayException Last(string what)
    {
        ArgumentException.ThrowIfNullOrEmpty(what);
        return new ForebayException(ErrorKind.Unavailable, $"{char.ToUpperInvariant(what[0])}{what[1..]}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
    }
}
