using System.Collections.Frozen;
using Forebay.Core;

namespace Forebay.Admin.Api;

/// <summary>The one place where kinds of errors become HTTP answers and words.</summary>
public static class AdminErrorMap
{
    private static readonly FrozenDictionary<ErrorKind, (int Status, string Word)> Rows = new Dictionary<ErrorKind, (int, string)>
    {
        [ErrorKind.NotFound] = (404, "notFound"),
        [ErrorKind.StaleVersion] = (409, "staleVersion"),
        [ErrorKind.AccessDenied] = (403, "accessDenied"),
        [ErrorKind.ReadOnly] = (403, "readOnly"),
        [ErrorKind.NotSupported] = (501, "notSupported"),
        [ErrorKind.InvalidRange] = (416, "invalidRange"),
        [ErrorKind.InvalidArgument] = (400, "invalidArgument"),
        [ErrorKind.Throttled] = (503, "throttled"),
        [ErrorKind.Timeout] = (504, "timeout"),
        [ErrorKind.Unavailable] = (503, "unavailable"),
        [ErrorKind.Corrupt] = (502, "corrupt"),
        [ErrorKind.Canceled] = (499, "canceled"),
        [ErrorKind.NoSpace] = (507, "noSpace"),
    }.ToFrozenDictionary();

    /// <summary>HTTP status of a kind.</summary>
    public static int StatusOf(ErrorKind kind) => Rows[kind].Status;

    /// <summary>Word of a kind.</summary>
    public static string WordOf(ErrorKind kind) => Rows[kind].Word;
}
