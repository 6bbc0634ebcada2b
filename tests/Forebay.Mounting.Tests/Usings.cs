global using Forebay.Core;
global using Forebay.Testing;
