using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Forebay.Cli.Configuration;

/// <summary>
/// Reads one YAML document into nodes that know their lines. Built on the parser's events alone: no reflection, no anchors, no tags.
/// </summary>
internal sealed class YamlReader
{
    private const int MaxDepth = 16;
    private const int MaxNodes = 100_000;

    private readonly Parser _parser;
    private readonly string _file;
    private readonly Faults _faults;
    private int _nodes;

    private YamlReader(TextReader text, string file, Faults faults)
    {
        _parser = new Parser(text);
        _file = file;
        _faults = faults;
    }

    /// <summary>Reads the file's document; null when it is empty or not YAML (then the fault is in <paramref name="faults"/>).</summary>
    /// <param name="text">What the file holds.</param>
    /// <param name="file">Its name, as people gave it.</param>
    /// <param name="faults">Takes what is wrong.</param>
    public static YamlNode? Read(TextReader text, string file, Faults faults)
    {
        YamlReader reader = new(text, file, faults);
        try
        {
            return reader.ReadDocument();
        }
        catch (YamlException e)
        {
            // Only the parser's own words up to its first full stop: what follows may quote the file.
            faults.Add(Place.InFile(file, (int)e.Start.Line), $"this is not valid YAML here ({FirstSentence(e.Message)}).");
            return null;
        }
    }

    private static string FirstSentence(string message)
    {
        int end = message.IndexOfAny(['.', '\'', '"']);
        return (end < 0 ? message : message[..end]).Trim();
    }

    private YamlNode? ReadDocument()
    {
        _parser.MoveNext();
        _parser.MoveNext();
        if (_parser.Current is not DocumentStart)
        {
            return null;
        }

        _parser.MoveNext();
        YamlNode node = ReadNode(depth: 0);
        if (_parser.MoveNext() && _parser.Current is DocumentStart second)
        {
            _faults.Add(Place.InFile(_file, (int)second.Start.Line), "only one YAML document is read; remove this second one.");
        }

        return node;
    }

    /// <summary>Reads the node at the current event and moves behind it.</summary>
    private YamlNode ReadNode(int depth)
    {
        ParsingEvent current = _parser.Current!;
        int line = (int)current.Start.Line;
        if (depth > MaxDepth || ++_nodes > MaxNodes)
        {
            throw new YamlException(current.Start, current.End, "the file is nested too deeply or too long");
        }

        switch (current)
        {
            case Scalar scalar:
                _parser.MoveNext();
                return new YamlScalar(IsNull(scalar) ? null : scalar.Value, line);

            case SequenceStart:
                List<YamlNode> items = [];
                _parser.MoveNext();
                while (_parser.Current is not SequenceEnd)
                {
                    items.Add(ReadNode(depth + 1));
                }

                _parser.MoveNext();
                return new YamlList(items, line);

            case MappingStart:
                return ReadMap(line, depth);

            default:
                throw new YamlException(current.Start, current.End, "anchors and aliases are not supported");
        }
    }

    private YamlMap ReadMap(int line, int depth)
    {
        List<YamlEntry> entries = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        _parser.MoveNext();
        while (_parser.Current is not MappingEnd)
        {
            int keyLine = (int)_parser.Current!.Start.Line;
            YamlNode key = ReadNode(depth + 1);
            YamlNode value = ReadNode(depth + 1);
            if (key is not YamlScalar { Text: { } name })
            {
                _faults.Add(Place.InFile(_file, keyLine), "an option's name must be plain text.");
            }
            else if (!seen.Add(name))
            {
                _faults.Add(Place.InFile(_file, keyLine), $"\"{name}\" is given twice in this group; remove one of them.");
            }
            else
            {
                entries.Add(new YamlEntry(name, value, keyLine));
            }
        }

        _parser.MoveNext();
        return new YamlMap(entries, line);
    }

    private static bool IsNull(Scalar scalar) => scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null";
}
