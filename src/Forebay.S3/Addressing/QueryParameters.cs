namespace Forebay.S3.Addressing;

/// <summary>
/// The query of a request in the order it came. Names are decoded at once, values when asked for; the raw text stays for the signature.
/// </summary>
internal sealed class QueryParameters
{
    /// <summary>Most parameters a request may have.</summary>
    public const int MaxParameters = 64;

    public static readonly QueryParameters Empty = new("", []);

    private readonly string _raw;
    private readonly Parameter[] _parameters;

    private QueryParameters(string raw, Parameter[] parameters)
    {
        _raw = raw;
        _parameters = parameters;
    }

    public int Count => _parameters.Length;

    /// <summary>Reads a query.</summary>
    /// <param name="raw">The raw target.</param>
    /// <param name="start">First character after <c>?</c>.</param>
    /// <param name="query">The parameters; <see cref="Empty"/> on failure.</param>
    /// <returns>False for malformed encoding or too many parameters.</returns>
    public static bool TryParse(string raw, int start, out QueryParameters query)
    {
        query = Empty;
        if (start >= raw.Length)
        {
            return true;
        }

        int most = raw.AsSpan(start).Count('&') + 1;
        if (most > MaxParameters)
        {
            return false;
        }

        var parameters = new Parameter[most];
        int count = 0;
        while (start < raw.Length)
        {
            int end = raw.IndexOf('&', start);
            end = end < 0 ? raw.Length : end;
            if (end > start)
            {
                int equals = raw.AsSpan(start, end - start).IndexOf('=');
                int nameEnd = equals < 0 ? end : start + equals;
                int valueStart = equals < 0 ? end : nameEnd + 1;
                if (!PercentCoding.TryDecode(raw.AsSpan(start, nameEnd - start), plusIsSpace: true, out string name))
                {
                    return false;
                }

                parameters[count++] = new Parameter(name, start, nameEnd, valueStart, end, equals >= 0);
            }

            start = end + 1;
        }

        query = new QueryParameters(raw, count == most ? parameters : parameters[..count]);
        return true;
    }

    public string NameAt(int index) => _parameters[index].Name;

    /// <summary>False for a bare name without <c>=</c>.</summary>
    public bool HasEqualsAt(int index) => _parameters[index].HasEquals;

    public ReadOnlySpan<char> RawNameAt(int index)
    {
        ref readonly Parameter p = ref _parameters[index];
        return _raw.AsSpan(p.NameStart, p.NameEnd - p.NameStart);
    }

    public ReadOnlySpan<char> RawValueAt(int index)
    {
        ref readonly Parameter p = ref _parameters[index];
        return _raw.AsSpan(p.ValueStart, p.ValueEnd - p.ValueStart);
    }

    public bool Contains(string name) => IndexOf(name) >= 0;

    /// <summary>Finds a parameter's decoded value.</summary>
    /// <param name="name">Exact name.</param>
    /// <param name="value">The first value; null when there is no such parameter.</param>
    /// <returns>False when the value is malformed.</returns>
    public bool TryGet(string name, out string? value)
    {
        int index = IndexOf(name);
        if (index < 0)
        {
            value = null;
            return true;
        }

        bool ok = PercentCoding.TryDecode(RawValueAt(index), plusIsSpace: true, out string decoded);
        value = ok ? decoded : null;
        return ok;
    }

    /// <summary>Checks once that every value can be decoded, so that later reads need no error path.</summary>
    public bool AllValuesDecode()
    {
        for (int i = 0; i < _parameters.Length; i++)
        {
            ReadOnlySpan<char> value = RawValueAt(i);
            if ((value.Contains('%') || value.ContainsAnyExceptInRange('!', '~')) && !PercentCoding.TryDecode(value, plusIsSpace: true, out _))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The decoded value, null when absent. Only after <see cref="AllValuesDecode"/>.</summary>
    public string? Get(string name) => TryGet(name, out string? value) ? value : null;

    private int IndexOf(string name)
    {
        for (int i = 0; i < _parameters.Length; i++)
        {
            if (string.Equals(_parameters[i].Name, name, StringComparison.Ordinal))
            {
                return i;
            }
        }

        return -1;
    }

    private readonly record struct Parameter(string Name, int NameStart, int NameEnd, int ValueStart, int ValueEnd, bool HasEquals);
}
