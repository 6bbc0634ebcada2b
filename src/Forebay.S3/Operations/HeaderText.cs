using System.Text;

namespace Forebay.S3.Operations;

/// <summary>Makes text from outside fit for a header line.</summary>
internal static class HeaderText
{
    /// <summary>True for printable ASCII and tabs: what a header line can carry as it is.</summary>
    public static bool IsPlain(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (c is (< ' ' or > '~') and not '\t')
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The text, or its RFC 2047 form where it is not plain, as Amazon S3 sends such metadata.</summary>
    public static string Encode(string text)
        => IsPlain(text) ? text : $"=?UTF-8?B?{Convert.ToBase64String(Encoding.UTF8.GetBytes(text))}?=";

    /// <summary>True when the name can be a part of a header name (RFC 9110 token).</summary>
    public static bool IsToken(ReadOnlySpan<char> name)
    {
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return !name.IsEmpty;
    }
}
